/** The payment providers by their id. */
import type { PaymentProviderId } from "../../schema/payment.ts";
import { cloudpayments } from "./cloudpayments.ts";
import type { PaymentProviderKind } from "./payment-provider.ts";
import { standardWebhooks } from "./standard-webhooks.ts";
import { stripe } from "./stripe.ts";
import { tbank } from "./tbank.ts";
import { yookassa } from "./yookassa.ts";

export const PAYMENT_PROVIDER_KINDS: Readonly<Record<PaymentProviderId, PaymentProviderKind>> = {
  stripe,
  yookassa,
  cloudpayments,
  tbank,
  standard: standardWebhooks,
};
