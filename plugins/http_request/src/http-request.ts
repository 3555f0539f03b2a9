import { type CallContext, definePlugin, FetchError, type Plugin } from '@mmm/plugin-sdk';
import { type HttpConfig, readConfig } from './config.ts';
import { expandPlaceholders } from './placeholders.ts';
import { buildRequest, type RequestInput } from './request.ts';
import { failed, type RequestOutput, readAnswer } from './result.ts';

/** Where the plugin reads the time, in milliseconds. */
export interface Times {
  /** Since 1970. */
  now(): number;
  /** Since some moment; never goes back. */
  monotonic(): number;
}

export function httpRequestPlugin(times: Times): Plugin {
  return definePlugin({
    name: 'http_request',
    version: '1.0.0',
    config: readConfig,
    actions: {
      http_request: {
        execute: (input: RequestInput, context) => request(input, context, times),
      },
    },
  });
}

/** What happened is a result, whatever it was; only a request that is none is an error. */
async function request(input: RequestInput, context: CallContext<HttpConfig>, times: Times): Promise<RequestOutput> {
  const { config, call, fetch } = context;
  const { url, options } = buildRequest(input.expand === true ? expandPlaceholders(input, call) : input, config);
  const startedAtMs = times.monotonic();
  const durationMs = (): number => Math.round((times.monotonic() - startedAtMs) * 10) / 10;
  try {
    const answer = await fetch(url, options);
    const wanted = { as: input.response ?? 'auto', bytesMax: input.max_bytes ?? config.max_bytes };
    return { ...(await readAnswer(answer, wanted, times.now())), duration_ms: durationMs() };
  } catch (error) {
    if (!(error instanceof FetchError) || error.reason === 'invalid') throw error;
    return { ...failed(error, url), duration_ms: durationMs() };
  }
}
