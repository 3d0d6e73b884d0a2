// Every way in which the checker says no, with the kinds of ledger/errors.py: what could not be read ("fetch"), what is
// newer than this page ("newer") and trouble of this browser's own ("store") are nobody's evidence; all else is.

/** An error with the `kind` of its class, a `code` that names its sentence, and the sentence's `values`. */
export class LedgerError extends Error {
  constructor(kind, code, values = {}, detail = code) {
    super(detail);
    this.kind = kind;
    this.code = code;
    this.values = values;
    this.detail = detail;
    this.reasons = [];
  }

  /** Whether it says that something could not be checked, rather than that it is false. */
  get isUnknown() {
    return ["fetch", "newer", "store"].includes(this.kind);
  }
}

export const formatError = (detail, code = "format", values = {}) => new LedgerError("format", code, values, detail);
export const newerError = (detail, values = {}) => new LedgerError("newer", "newer-format", values, detail);
export const signatureError = (detail) => new LedgerError("signature", "signature", {}, detail);
export const proofError = (detail, code = "proof", values = {}) => new LedgerError("proof", code, values, detail);
export const policyError = (detail, code = "policy", values = {}) => new LedgerError("policy", code, values, detail);
export const verificationError = (detail, code, values = {}) => new LedgerError("verification", code, values, detail);
export const fetchError = (detail, code = "fetch", values = {}) => new LedgerError("fetch", code, values, detail);
export const storeError = (detail, code, values = {}) => new LedgerError("store", code, values, detail);

/** Refused, with every reason. */
export function admissionError(reasons) {
  const error = new LedgerError("admission", "admission", {}, reasons.map(showReason).join("; "));
  error.reasons = reasons;
  return error;
}

/** One reason of a refusal; `unknown` marks what a later version may have introduced. */
export function reason(code, path = "", values = {}, unknown = false) {
  return { code, path, values, unknown };
}

/** A reason in the engineer's words. */
export function showReason({ code, path, values }) {
  const shown = Object.entries(values).map(([key, value]) => `${key}=${value}`).join(", ");
  return code + (path ? ` at ${path}` : "") + (shown ? ` (${shown})` : "");
}

/** Return what `action` returns, or null where it raises a LedgerError; any other error is a fault of ours and goes on. */
export async function attempt(action) {
  try {
    return await action();
  } catch (error) {
    if (error instanceof LedgerError) return null;
    throw error;
  }
}

/** Return the LedgerError `error`; anything else is a fault of ours and is thrown on. */
export function asLedgerError(error) {
  if (error instanceof LedgerError) return error;
  throw error;
}

/** The same for an action that does not wait. */
export function attemptSync(action) {
  try {
    return action();
  } catch (error) {
    if (error instanceof LedgerError) return null;
    throw error;
  }
}
