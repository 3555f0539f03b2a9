import { AsyncLocalStorage } from 'node:async_hooks';
import type { TestContext } from 'node:test';
import {
  type Attributes,
  type Context,
  type ContextManager,
  context,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  type SpanOptions,
  type SpanStatus,
  trace,
} from '@opentelemetry/api';

/** One span as an SDK would export it. */
export interface MemorySpan {
  readonly name: string;
  readonly kind: number | undefined;
  readonly spanContext: SpanContext;
  readonly parent: SpanContext | undefined;
  readonly attributes: Attributes;
  status: SpanStatus | undefined;
  ends: number;
}

/** Registers a tracer provider with the API of OpenTelemetry, as an SDK does, that keeps every span in memory. */
export function registerMemoryTracer(t: Pick<TestContext, 'after'>, options: { readonly sampled?: boolean } = {}) {
  const spans: MemorySpan[] = [];
  const traceFlags = options.sampled === false ? 0 : 1;
  const startSpan = (name: string, given: SpanOptions = {}, within: Context = context.active()): Span => {
    const parent = trace.getSpanContext(within);
    const spanContext = {
      traceId: parent?.traceId ?? hex(32, spans.length + 1),
      spanId: hex(16, spans.length + 1),
      traceFlags,
    };
    const span: MemorySpan = {
      ...{ name, kind: given.kind, spanContext, parent },
      ...{ attributes: { ...given.attributes }, status: undefined, ends: 0 },
    };
    spans.push(span);
    return spanOf(span);
  };
  trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan, startActiveSpan: () => undefined as never }) });
  context.setGlobalContextManager(new StorageContexts());
  t.after(() => {
    trace.disable();
    context.disable();
  });
  return { spans, startSpan };
}

function spanOf(memory: MemorySpan): Span {
  const span: Span = {
    spanContext: () => memory.spanContext,
    setAttribute: (key, value) => {
      memory.attributes[key] = value;
      return span;
    },
    setAttributes: (attributes) => {
      Object.assign(memory.attributes, attributes);
      return span;
    },
    setStatus: (status) => {
      memory.status = status;
      return span;
    },
    end: () => {
      memory.ends += 1;
    },
    isRecording: () => memory.spanContext.traceFlags === 1,
    addEvent: () => span,
    addLink: () => span,
    addLinks: () => span,
    updateName: () => span,
    recordException: () => undefined,
  };
  return span;
}

class StorageContexts implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();

  active(): Context {
    return this.#storage.getStore() ?? ROOT_CONTEXT;
  }

  with: ContextManager['with'] = (within, run, self, ...args) => {
    return this.#storage.run(within, () => run.apply(self as never, args));
  };

  bind: ContextManager['bind'] = (_within, target) => target;

  enable(): this {
    return this;
  }

  disable(): this {
    return this;
  }
}

function hex(length: number, value: number): string {
  return value.toString(16).padStart(length, '0');
}
