/** Every page, in the order of the navigation. A new page is one file and one line here. */
import type { Page } from "../frame/view.ts";
import { balancePages } from "./balance.tsx";
import { docsPages } from "./docs.tsx";
import { keysPages } from "./keys.tsx";
import { livePages } from "./live.ts";
import { modelCostPages } from "./model-cost.tsx";
import { modelsPages } from "./models.tsx";
import { overviewPages } from "./overview.tsx";
import { peoplePages } from "./people.tsx";
import { personPages } from "./person.tsx";
import { playgroundPages } from "./playground.tsx";
import { receiversPages } from "./receivers.tsx";
import { reliabilityPages } from "./reliability.tsx";
import { requestPages } from "./request.tsx";
import { requestsPages } from "./requests.tsx";
import { routingPages } from "./routing.tsx";
import { signInPages } from "./sign-in.tsx";
import { signUpPages } from "./sign-up.tsx";
import { startPages } from "./start.tsx";
import { statusPages } from "./status.tsx";
import { usagePages } from "./usage.tsx";

export const PAGES: readonly Page[] = [
  startPages,
  signInPages,
  signUpPages,
  overviewPages,
  requestsPages,
  requestPages,
  usagePages,
  balancePages,
  receiversPages,
  keysPages,
  livePages,
  modelsPages,
  modelCostPages,
  playgroundPages,
  peoplePages,
  routingPages,
  reliabilityPages,
  personPages,
  docsPages,
  statusPages,
];
