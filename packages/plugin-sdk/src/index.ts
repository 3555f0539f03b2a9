export { RpcError } from '@mmm/protocol';
export type {
  CallContext,
  CallHost,
  HostCallOptions,
  Log,
  LogFunction,
  PluginContext,
  RequestContext,
  State,
} from './context.ts';
export type {
  Capability,
  Completion,
  EventAnswer,
  EventHandler,
  Message,
  Plugin,
  PluginDefinition,
  Recovery,
  ToolFailure,
} from './define-plugin.ts';
export { definePlugin } from './define-plugin.ts';
export type { Fetch, FetchBody, FetchOptions, FetchResponse } from './fetch.ts';
export type { FetchFailure } from './fetch-error.ts';
export { FetchError } from './fetch-error.ts';
export type { HeadersInput } from './fetch-headers.ts';
export { FetchHeaders } from './fetch-headers.ts';
export type {
  BroadcastEntry,
  MessageOptions,
  Model,
  ModelOptions,
  Plugins,
  Project,
  Spec,
  User,
} from './host-services.ts';
export type { PluginErrorOptions, WireErrorKind } from './plugin-error.ts';
export { PluginError } from './plugin-error.ts';
export { runPlugin } from './run-plugin.ts';
export type { Schema, StandardIssue, StandardResult, StandardSchema } from './schema.ts';
export type { Served, ServeOptions } from './serve.ts';
export { serve } from './serve.ts';
export type { ArmedTrigger, Trigger, TriggerDefinition, TriggerEvent } from './triggers.ts';
export { defineTrigger } from './triggers.ts';
