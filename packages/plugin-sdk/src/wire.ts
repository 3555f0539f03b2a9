import type { HostMethods, Method, Notification, PluginMethods } from '@mmm/protocol';

/**
 * The SDK names the methods of the protocol without their schemas: the host checks everything in both directions,
 * and loading the schemas would cost every plugin 20 ms and more at each start.
 */
const unchecked = {
  parse: (value: unknown) => value,
  safeParse: (data: unknown) => ({ success: true, data }),
};

function unvalidated(kind: 'request' | 'notification', name: string): unknown {
  return { kind, name, params: unchecked, result: unchecked, summary: '' };
}

type RequestName<T> = { [K in keyof T]: T[K] extends Method ? K : never }[keyof T] & string;
type NotificationName<T> = { [K in keyof T]: T[K] extends Notification ? K : never }[keyof T] & string;

export type PluginRequestName = RequestName<PluginMethods>;
export type HostRequestName = RequestName<HostMethods>;

export function pluginRequest<K extends PluginRequestName>(name: K): PluginMethods[K] {
  return unvalidated('request', name) as PluginMethods[K];
}

export function pluginNotification<K extends NotificationName<PluginMethods>>(name: K): PluginMethods[K] {
  return unvalidated('notification', name) as PluginMethods[K];
}

export function hostRequest<K extends HostRequestName>(name: K): HostMethods[K] {
  return unvalidated('request', name) as HostMethods[K];
}

export const logNotification = unvalidated('notification', 'log') as HostMethods['log'];
