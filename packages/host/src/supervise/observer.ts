/** Runs an observer. Its failure is its own: the plugin must still be supervised. */
export function tell(observer: () => void): void {
  try {
    observer();
  } catch {
    // Nothing to do: there is nobody to tell.
  }
}
