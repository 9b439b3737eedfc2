// How the mail server stands, for operators: it is connected to and logged in at; no mail is sent.
import type { DependencyState } from "../kernel/index.ts";
import { reasonOf, type SmtpError } from "./carriers.ts";
import { limits } from "./limits.ts";

export async function mailServerState(url: string): Promise<DependencyState> {
  const { createTransport } = await import("nodemailer");
  const wait = limits.stateMs;
  const transport = createTransport({
    url,
    connectionTimeout: wait,
    greetingTimeout: wait,
    socketTimeout: wait,
    disableFileAccess: true,
    disableUrlAccess: true,
  } as object);
  const began = performance.now();
  try {
    await transport.verify();
  } catch (error) {
    const advice = "is it running, and is SMTP_URL right? Mails wait for it";
    return { status: "FAIL", message: reasonOf(error as SmtpError), advice };
  } finally {
    transport.close();
  }
  const latencyMs = Math.round(performance.now() - began);
  return { status: "ok", message: `lets us in, after ${latencyMs} ms`, figures: { latencyMs } };
}
