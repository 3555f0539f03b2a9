import { PluginError, type PluginErrorOptions, type WireErrorKind } from './plugin-error.ts';

/**
 * Why a request has no answer. `denied`: the host is not granted, or leads where the grant does not. `timeout`: no
 * answer in time. `connection`: refused, cut, not resolved, no trust or no HTTP; `detail` says which. `redirect`: too
 * many, or none was wanted. `too_large`: the answer is over a limit. `invalid`: the request itself is not one.
 */
export type FetchFailure = 'denied' | 'timeout' | 'connection' | 'redirect' | 'too_large' | 'invalid';

const kinds: Readonly<Record<FetchFailure, WireErrorKind>> = {
  denied: 'permission_denied',
  timeout: 'timeout',
  connection: 'network_failed',
  redirect: 'internal_error',
  too_large: 'message_too_large',
  invalid: 'invalid_params',
};

type FetchErrorOptions = Pick<PluginErrorOptions, 'cause' | 'details'>;

/** `fetch` got no answer. One that nobody catches reaches the caller of the capability with its kind. */
export class FetchError extends PluginError {
  readonly reason: FetchFailure;
  /** Which request failed: after redirects another one than the first. */
  readonly url: string | undefined;
  /** What the host says about it: `refused`, `cut`, `dns`, `tls`, `not_granted`, `address` and others. */
  readonly detail: string | undefined;

  constructor(reason: FetchFailure, url: URL | undefined, message: string, options: FetchErrorOptions = {}) {
    super(message, { kind: kinds[reason], ...options });
    this.reason = reason;
    this.url = url?.href;
    const { reason: detail } = (options.details ?? {}) as { readonly reason?: unknown };
    this.detail = typeof detail === 'string' ? detail : undefined;
  }
}
