/** Thrown when a start cannot go on for a reason the person can mend; the message says which, and how. */
export class StartRefusal extends Error {}
