export type { CallFailure } from './call-failed.ts';
export { CallFailed } from './call-failed.ts';
export type { Clock, Timer } from './clock.ts';
export { systemClock } from './clock.ts';
export type { Connection } from './connection.ts';
export { connect } from './connection.ts';
export type {
  CallOptions,
  CloseCause,
  ConnectionCounters,
  ConnectionFault,
  ConnectionLimits,
  ConnectionOptions,
  FaultKind,
  StrayInfo,
} from './connection-options.ts';
export { defaultConnectionLimits, faultKinds } from './connection-options.ts';
export type { HandlerContext, NotificationEntry, RequestEntry } from './handler.ts';
export { onNotification, onRequest } from './handler.ts';
export { memoryTransportPair } from './memory-transport.ts';
export { stdioTransport } from './stdio-transport.ts';
export { TokenBucket } from './token-bucket.ts';
export type { Transport } from './transport.ts';
export type { Turn } from './turns.ts';
export { turnOf } from './turns.ts';
