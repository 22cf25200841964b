// Verifies webhooks with the official library, as a receiver would. One JSON
// object a line comes in: {"secret": "whsec_…", "headers": {…}, "body": "…"},
// names of headers in lower case. For each, one line goes out: "ok", or "no: "
// and the library's words.
import { createInterface } from "node:readline";
import { Webhook } from "standardwebhooks";

for await (const line of createInterface({ input: process.stdin })) {
  const { secret, headers, body } = JSON.parse(line);
  try {
    new Webhook(secret).verify(body, headers);
    console.log("ok");
  } catch (err) {
    console.log("no: " + err.message);
  }
}
