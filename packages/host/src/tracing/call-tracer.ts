import { hostVersion, MmmError } from '@mmm/protocol';
import {
  type Attributes,
  type Context,
  context,
  isSpanContextValid,
  ProxyTracerProvider,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';

/** What a call is known by. */
export interface TracedCall {
  readonly plugin: string;
  readonly version: string;
  readonly capability: { readonly kind: string; readonly name: string };
  readonly caller: { readonly kind: string; readonly id: string };
  /** What the caller handed over: the span is then below it. Default: below the active one, if there is one. */
  readonly traceparent: string | undefined;
}

/** One call that somebody traces. */
export interface CallSpan {
  /** W3C: what the plugin gets, so that its own spans are below this one. */
  readonly traceparent: string;
  answered(): void;
  /** `error` as the caller gets it: nothing in it is secret. */
  failed(error: unknown): void;
}

const statusChars = 1_000;

/** The tracer of the SDK that the program registered; undefined without one. There may be several copies of the API. */
export function registeredTracer(): Tracer | undefined {
  const provider = trace.getTracerProvider();
  if (provider instanceof ProxyTracerProvider) return provider.getDelegateTracer('@mmm/host', hostVersion);
  return provider.getTracer('@mmm/host', hostVersion);
}

/** Begins the span of one call. Undefined when the tracer does nothing. */
export function startCallSpan(tracer: Tracer, call: TracedCall): CallSpan | undefined {
  const name = `execute ${call.plugin}/${call.capability.name}`;
  const span = tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes: attributesOf(call) }, parentOf(call));
  const spanContext = span.spanContext();
  if (!isSpanContextValid(spanContext)) return undefined;
  const flags = spanContext.traceFlags.toString(16).padStart(2, '0');
  return {
    // Also of one that is not sampled: the plugin is told so by its flags.
    traceparent: `00-${spanContext.traceId}-${spanContext.spanId}-${flags}`,
    answered: () => span.end(),
    failed: (error) => {
      recordFailure(span, error);
      span.end();
    },
  };
}

function parentOf({ traceparent = '' }: TracedCall): Context {
  const active = context.active();
  const [, traceId, spanId, flags] = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})/.exec(traceparent) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return active;
  const parent = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  return isSpanContextValid(parent) ? trace.setSpanContext(active, parent) : active;
}

/** Names of the semantic conventions where there are some. Given at the start, because samplers decide by them. */
function attributesOf({ plugin, version, capability, caller }: TracedCall): Attributes {
  return {
    'rpc.system': 'jsonrpc',
    'rpc.service': plugin,
    'rpc.method': 'execute',
    'rpc.jsonrpc.version': '2.0',
    'mmm.plugin.version': version,
    'mmm.capability.kind': capability.kind,
    'mmm.capability.name': capability.name,
    'mmm.caller.kind': caller.kind,
    'mmm.caller.id': caller.id,
  };
}

function recordFailure(span: Span, error: unknown): void {
  const code = error instanceof MmmError ? error.code : 'INTERNAL';
  const message = (error instanceof Error ? error.message : String(error)).slice(0, statusChars);
  span.setAttribute('error.type', code);
  if (MmmError.is(error, 'CALL_REJECTED')) span.setAttribute('rpc.jsonrpc.error_code', error.data.rpcCode);
  span.setStatus({ code: SpanStatusCode.ERROR, message });
}
