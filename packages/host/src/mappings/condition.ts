import { isDeepStrictEqual } from 'node:util';
import { matchesGlob } from '../events/glob.ts';
import { valueAt } from '../source/issues.ts';

type Scalar = string | number | boolean;

/** What one value must be: this, one of these, or within bounds. */
export type Condition =
  | Scalar
  | readonly Scalar[]
  | {
      readonly min?: number | undefined;
      readonly max?: number | undefined;
      readonly glob?: string | undefined;
      readonly not?: Scalar | readonly Scalar[] | undefined;
    };

/** True when every value of the data, found by its name or by names joined by dots, is as its condition says. */
export function meets(data: unknown, conditions: ReadonlyMap<string, Condition>): boolean {
  for (const [path, condition] of conditions) {
    const value = valueAt(data, [path]) ?? valueAt(data, path.split('.'));
    if (!isAs(value, condition)) return false;
  }
  return true;
}

function isAs(value: unknown, condition: Condition): boolean {
  if (typeof condition !== 'object') return value === condition;
  if (isList(condition)) {
    // Of a chord it is the same notes, in any order; of anything else one of the values.
    return Array.isArray(value) ? isDeepStrictEqual(new Set(value), new Set(condition)) : isOneOf(value, condition);
  }
  const { min, max, glob, not } = condition;
  if (value === undefined) return false;
  if (min !== undefined && !(typeof value === 'number' && value >= min)) return false;
  if (max !== undefined && !(typeof value === 'number' && value <= max)) return false;
  if (glob !== undefined && !(typeof value === 'string' && matchesGlob(glob, value))) return false;
  return not === undefined || !isOneOf(value, isList(not) ? not : [not]);
}

function isList(value: unknown): value is readonly Scalar[] {
  return Array.isArray(value);
}

function isOneOf(value: unknown, scalars: readonly Scalar[]): boolean {
  return scalars.some((scalar) => scalar === value);
}
