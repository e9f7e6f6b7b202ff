/** What an author did wrong; the message is all that is shown. */
export class GuestError extends Error {}
