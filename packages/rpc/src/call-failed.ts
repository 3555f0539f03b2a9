import type { FieldIssue } from '@mmm/protocol';

/**
 * Why a call has no answer. `closed`: the connection ended first. `timeout`: its own deadline passed. `cancelled`: its
 * signal aborted. `invalid_params`: what the caller passed does not match the method, so nothing was sent.
 * `invalid_result`: the peer's answer does not match it. `too_large`: the call or its answer is over a limit.
 * `busy`: the peer does not read and the outbound queue is full, so nothing was sent.
 */
export type CallFailure =
  | 'closed'
  | 'timeout'
  | 'cancelled'
  | 'invalid_params'
  | 'invalid_result'
  | 'too_large'
  | 'busy';

/** A call that failed on this side of the wire. An error that the peer answered is an RpcError instead. */
export class CallFailed extends Error {
  override readonly name = 'CallFailed';
  readonly reason: CallFailure;
  /** Which fields do not match, for `invalid_params` and `invalid_result`. */
  readonly issues?: readonly FieldIssue[];

  constructor(reason: CallFailure, message: string, issues?: readonly FieldIssue[]) {
    super(message);
    this.reason = reason;
    if (issues !== undefined) this.issues = issues;
  }
}
