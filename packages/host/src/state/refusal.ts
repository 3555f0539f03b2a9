type Kind = 'conflict' | 'quota' | 'invalid';

/** Why a change of stored values was refused; nothing of it was stored. Each side is told it in its own terms. */
export class StateRefusal extends Error {
  readonly kind: Kind;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(kind: Kind, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.kind = kind;
    this.details = details;
  }

  static conflict(key: string, version: number, wanted: number | undefined): StateRefusal {
    const now = version === 0 ? 'is absent' : `has version ${version}`;
    return refusal('conflict', `${JSON.stringify(key)} ${now}, not version ${wanted ?? 0}.`, { key, version });
  }

  static quota(message: string, details: Readonly<Record<string, unknown>>): StateRefusal {
    return refusal('quota', message, details);
  }

  static invalid(message: string): StateRefusal {
    return refusal('invalid', message, {});
  }
}

/** A class that names itself in its own body loses its name in a bundle. */
function refusal(kind: Kind, message: string, details: Readonly<Record<string, unknown>>): StateRefusal {
  return new StateRefusal(kind, message, details);
}
