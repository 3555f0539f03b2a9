/** Fields of the data of one kind of event, and whether they are numbers, of which there may be a least and a most. */
type Fields = Readonly<Record<string, 'number' | 'text' | 'numbers'>>;

/**
 * Triggers that are written as `type = "Note"`, `note = 1`: short for the type of event and filters on its data. Any
 * plugin that speaks to such a device may emit them.
 */
export const deviceEvents = {
  Note: { event: 'midi.note', fields: { note: 'number', velocity: 'number', channel: 'number' } },
  LongPress: { event: 'midi.long_press', fields: { note: 'number', duration_ms: 'number', channel: 'number' } },
  DoubleTap: { event: 'midi.double_tap', fields: { note: 'number', channel: 'number' } },
  NoteChord: { event: 'midi.note_chord', fields: { notes: 'numbers', channel: 'number' } },
  EncoderTurn: { event: 'midi.encoder_turn', fields: { cc: 'number', direction: 'text', channel: 'number' } },
  CC: { event: 'midi.cc', fields: { cc: 'number', value: 'number', channel: 'number' } },
  Aftertouch: { event: 'midi.aftertouch', fields: { note: 'number', pressure: 'number', channel: 'number' } },
  PitchBend: { event: 'midi.pitch_bend', fields: { value: 'number', channel: 'number' } },
} as const satisfies Readonly<Record<string, { readonly event: string; readonly fields: Fields }>>;

export type DeviceType = keyof typeof deviceEvents;

export function isDeviceType(type: string): type is DeviceType {
  return Object.hasOwn(deviceEvents, type);
}

/** The keys that may stand beside `type = "…"`: each field, and of each number its least and its most. */
export function deviceKeys(type: DeviceType): string[] {
  return Object.entries(deviceEvents[type].fields as Fields).flatMap(([name, kind]) =>
    kind === 'number' ? [name, `${name}_min`, `${name}_max`] : [name],
  );
}

/** Every key of any of them, with what it may be. */
export function allDeviceKeys(): ReadonlyMap<string, 'number' | 'bound' | 'text' | 'numbers'> {
  const keys = new Map<string, 'number' | 'bound' | 'text' | 'numbers'>();
  for (const { fields } of Object.values(deviceEvents)) {
    for (const [name, kind] of Object.entries(fields as Fields)) {
      keys.set(name, kind);
      if (kind === 'number') keys.set(`${name}_min`, 'bound').set(`${name}_max`, 'bound');
    }
  }
  return keys;
}
