import type { Permission } from '@mmm/protocol';
import type { RiskLevel } from '../risk-level.ts';

/** `once` lasts as long as this host, `always` is stored for the plugin and its publisher, `deny` stores nothing. */
export type PromptAnswer = 'once' | 'always' | 'deny';

/** One permission as it is put to a person. */
export interface PromptItem {
  readonly permission: Permission;
  readonly key: string;
  readonly risk: RiskLevel;
  /** Ours: safe to print. */
  readonly sentence: string;
  /** The author's words, or null. They may say anything and contain anything: show them quoted, safely, and last. */
  readonly reason: string | null;
}

export interface PermissionRequest {
  readonly plugin: string;
  readonly version: string;
  /** The name the user gave the key that signed it; null for a plugin without a signature. */
  readonly publisher: string | null;
  /** The whole fingerprint of that key, in groups of four digits; null as well. */
  readonly fingerprint: string | null;
  /** At least one; the answer counts for all of them. A critical one always comes alone. */
  readonly items: readonly PromptItem[];
}

/**
 * Whoever can ask the user. Must answer `deny` when the user turns away; a rejection means that nobody could be
 * asked.
 */
export interface PermissionPrompter {
  ask(request: PermissionRequest): Promise<PromptAnswer>;
}

/** What a plugin asks the user during a call. Its words: show them quoted and safely, and say whose they are. */
export interface UserQuestion {
  readonly plugin: string;
  readonly message: string;
  readonly kind: 'text' | 'confirm' | 'select' | 'secret';
  /** What `select` offers; empty for the other kinds. */
  readonly options: readonly string[];
}

/** A client's way to its user: one for each client, because questions go to the client whose call it is. */
export interface Prompter extends PermissionPrompter {
  /**
   * Puts a question of a plugin: true or false for `confirm`, one of `options` for `select`, else a text. Rejects when
   * nobody can answer, and soon after the signal aborts: then nobody waits for the answer any more. Without this
   * method plugins are told that nobody is there.
   */
  prompt?(question: UserQuestion, signal: AbortSignal): Promise<string | boolean>;
}
