/** The wire version this package speaks: one integer, independent of any release. */
export const protocolVersion = 1;
/** Every wire version this host can still speak. */
export const supportedProtocolVersions: readonly number[] = [1];
/** The version of mmm that `mmm = "^1.0"` in a manifest is compared with. */
export const hostVersion = '1.0.0';

/** Feature names of this version. Unknown names are ignored by both sides. */
export const protocolFeatures = ['ping', 'chunks', 'tool_recovery'] as const;
export type ProtocolFeature = (typeof protocolFeatures)[number];
