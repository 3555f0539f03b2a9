/**
 * The settings of the first part. A plugin may crash as often as it likes, comes back at once, and silence is noticed
 * within seconds: otherwise most of the faults would meet a plugin in quarantine. All of it is in reach of a user.
 */
export const profile = `[supervision]
crashes_max = 0
backoff_ms = 10
backoff_max_s = 0.05
ping_after_s = 1
degraded_after_s = 0.5
unresponsive_after_s = 1
`;
