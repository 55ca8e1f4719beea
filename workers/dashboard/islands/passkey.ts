/** Passkeys: asks the browser's authenticator, and tells the server what it said. Without a script, or without an authenticator, the password stays. */
import { call, type Json } from "./read-json.ts";

type Ceremony = "authenticate" | "register";

/** The browser reads the server's options itself, and refuses them when they are not of the shape the standard names. */
function isRequest(options: Json): options is Json & PublicKeyCredentialRequestOptionsJSON {
  return typeof options["challenge"] === "string";
}

function isCreation(options: Json): options is Json & PublicKeyCredentialCreationOptionsJSON {
  return isRequest(options) && Array.isArray(options["pubKeyCredParams"]);
}

async function ask(ceremony: Ceremony, options: Json): Promise<PublicKeyCredential | null> {
  if (ceremony === "authenticate") {
    if (!isRequest(options)) return null;
    return asPublicKey(await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) }));
  }
  if (!isCreation(options)) return null;
  return asPublicKey(await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) }));
}

function asPublicKey(credential: Credential | null): PublicKeyCredential | null {
  return credential instanceof PublicKeyCredential ? credential : null;
}

async function run(ceremony: Ceremony, name: string): Promise<boolean> {
  const options = await call(`/auth/passkey/generate-${ceremony}-options`);
  if (!options.ok) return false;
  const credential = await ask(ceremony, options.body);
  if (credential === null) return false;
  const path = ceremony === "authenticate" ? "/auth/passkey/verify-authentication" : "/auth/passkey/verify-registration";
  const response = credential.toJSON();
  return (await call(path, ceremony === "authenticate" ? { response } : { response, name })).ok;
}

async function clicked(button: HTMLButtonElement): Promise<void> {
  const message = document.getElementById("passkey-message");
  button.disabled = true;
  const done = await run(button.dataset["passkey"] === "register" ? "register" : "authenticate", button.dataset["name"] ?? "").catch(
    () => false,
  );
  if (done) location.assign(button.dataset["next"] ?? "/app");
  else if (message !== null) message.hidden = false;
  button.disabled = false;
}

for (const button of document.querySelectorAll<HTMLButtonElement>("button[data-passkey]")) {
  if (typeof PublicKeyCredential !== "undefined" && "parseRequestOptionsFromJSON" in PublicKeyCredential) {
    button.hidden = false;
    button.addEventListener("click", () => void clicked(button));
  }
}
