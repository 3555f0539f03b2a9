import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MmmError } from '@mmm/host';
import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { confined } from '../support/confined.ts';
import { fixtureHost } from '../support/fixture-host.ts';
import { registerMemoryTracer } from '../support/memory-tracer.ts';

interface Told {
  readonly traceparent?: string;
}

test('each call is a span with its plugin and capability, and the plugin gets its traceparent', confined, async (t) => {
  const { host } = await fixtureHost(t, ['asks-the-host']);
  const plugin = await host.plugin('asks_the_host');
  // Registered after the host was made, as programs do.
  const { spans, startSpan } = registerMemoryTracer(t);
  const outer = startSpan('request');
  const { output } = await context.with(trace.setSpan(context.active(), outer), () =>
    plugin.execute<Told>('run', {}, { context: { caller: { kind: 'daemon', id: 'me' } } }),
  );
  const [, span] = spans;
  assert.ok(span !== undefined);
  assert.equal(output.traceparent, `00-${outer.spanContext().traceId}-${span.spanContext.spanId}-01`);
  assert.equal(span.parent?.spanId, outer.spanContext().spanId);
  assert.equal(span.name, 'execute asks_the_host/run');
  assert.equal(span.kind, SpanKind.CLIENT);
  assert.deepEqual(span.attributes, {
    'rpc.system': 'jsonrpc',
    'rpc.service': 'asks_the_host',
    'rpc.method': 'execute',
    'rpc.jsonrpc.version': '2.0',
    'mmm.plugin.version': '1.0.0',
    'mmm.capability.kind': 'tool',
    'mmm.capability.name': 'run',
    'mmm.caller.kind': 'daemon',
    'mmm.caller.id': 'me',
  });
  assert.deepEqual([span.status, span.ends], [undefined, 1]);
});

test('a traceparent that the caller hands over is the parent of the span', confined, async (t) => {
  const { host } = await fixtureHost(t, ['asks-the-host']);
  const plugin = await host.plugin('asks_the_host');
  const { spans } = registerMemoryTracer(t);
  const given = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
  const { output } = await plugin.execute<Told>('run', {}, { context: { traceparent: given } });
  assert.equal(spans[0]?.parent?.spanId, 'b'.repeat(16));
  assert.equal(spans[0]?.parent?.isRemote, true);
  assert.equal(output.traceparent, `00-${'a'.repeat(32)}-${spans[0]?.spanContext.spanId}-01`);
  const other = await plugin.execute<Told>('run', {}, { context: { traceparent: 'no trace at all' } });
  assert.equal(spans[1]?.parent, undefined);
  assert.match(other.output.traceparent ?? '', /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
});

test('a call that fails is a span that failed, with the code of its error', confined, async (t) => {
  const { host } = await fixtureHost(t, ['crashes-on-execute']);
  const plugin = await host.plugin('crashes_on_execute');
  const { spans } = registerMemoryTracer(t);
  await assert.rejects(plugin.execute('run', { code: 3 }), (error) => MmmError.is(error, 'PLUGIN_EXITED'));
  assert.equal(spans[0]?.attributes['error.type'], 'PLUGIN_EXITED');
  assert.equal(spans[0]?.status?.code, SpanStatusCode.ERROR);
  assert.match(spans[0]?.status?.message ?? '', /exited with code 3/);
  assert.equal(spans[0]?.ends, 1);
});

test('a trace that is not sampled is handed on as not sampled', confined, async (t) => {
  const { host } = await fixtureHost(t, ['asks-the-host']);
  const plugin = await host.plugin('asks_the_host');
  registerMemoryTracer(t, { sampled: false });
  const { output } = await plugin.execute<Told>('run', {});
  assert.match(output.traceparent ?? '', /-00$/);
});

test(
  'without an SDK no plugin is told of a trace, and one that the caller hands over passes through',
  confined,
  async (t) => {
    const { host } = await fixtureHost(t, ['asks-the-host']);
    const plugin = await host.plugin('asks_the_host');
    assert.equal((await plugin.execute<Told>('run', {})).output.traceparent, undefined);
    const given = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    const { output } = await plugin.execute<Told>('run', {}, { context: { traceparent: given } });
    assert.equal(output.traceparent, given);
  },
);
