export { sendCounted } from "./transport/counted-call"
export { EventObserver } from "./transport/event-observer"
export { isRejectedByFetch } from "./transport/fetch-errors"
export { onAbort } from "./transport/on-abort"
export { ProviderReply, type ProviderReplyFields, shownIdentifier } from "./transport/provider-reply"
export {
  type BodyEnd,
  BodyIdleError,
  type BodyObserver,
  MAX_BYTES_AHEAD,
  type ReadAheadBody,
  type ReadAheadOptions,
  readAhead,
  withBody,
} from "./transport/read-ahead"
export { isEventStream, MAX_RESPONSE_BYTES, readTextUpTo } from "./transport/read-body"
export { type RetryHints, readRetryHints } from "./transport/retry-hints"
export {
  SecondRequestError,
  type SendState,
  type SendWatch,
  type SendWatchOptions,
  watchSend,
} from "./transport/send-watch"
export { MAX_EVENT_BYTES, type SseBlock, SseReader } from "./transport/sse-reader"
