/** The configuration, as config.schema.json describes and checks it. */
export interface GitConfig {
  /** Used when a call names no repository. */
  readonly repository: string | undefined;
  readonly default_branch: string;
  readonly commit_template: string;
  readonly auto_commit: boolean;
  readonly author: { readonly name: string; readonly email: string } | undefined;
  readonly run_hooks: boolean;
}

/** Fills in the defaults. The host has checked the types. */
export function readConfig(value: unknown): GitConfig {
  const given = (value ?? {}) as Partial<Record<'repository' | 'default_branch' | 'commit_template', string>> &
    Partial<Record<'author_name' | 'author_email', string>> &
    Partial<Record<'auto_commit' | 'run_hooks', boolean>>;
  const { author_name: name, author_email: email } = given;
  return {
    repository: given.repository,
    default_branch: given.default_branch ?? 'main',
    commit_template: given.commit_template ?? '{{title}}',
    auto_commit: given.auto_commit ?? true,
    author: name === undefined || email === undefined ? undefined : { name, email },
    run_hooks: given.run_hooks ?? false,
  };
}
