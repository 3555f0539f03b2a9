import { isDeepStrictEqual } from 'node:util';
import { hostLimits } from '../limits.ts';
import { findFrontMatter, withStatus } from './front-matter.ts';
import { SpecFault, SpecFile, specPath } from './spec-file.ts';

/** A specification: a Markdown file below `specs` of the project. */
export interface Spec {
  /** Its path below `specs`, without `.md`. */
  readonly name: string;
  /** Of the front matter, when it is a text. */
  readonly status: string | null;
  /** Of the front matter, else the first heading. */
  readonly title: string | null;
  /** The front matter as data; empty when there is none or it cannot be read, which `problem` says. */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** What follows the front matter. */
  readonly body: string;
  readonly problem?: string;
}

/** Reads front matter: YAML as data, or undefined for what is none. Must bound what it takes. */
export type ReadMatter = (text: string) => unknown;

/** The specifications of one project. Everything throws SpecFault. */
export class Specs {
  readonly #project: string;
  readonly #readMatter: ReadMatter;

  constructor(project: string, readMatter: ReadMatter) {
    this.#project = project;
    this.#readMatter = readMatter;
  }

  get(name: string): Spec {
    return this.#with(name, (file) => {
      const { bytes } = file.read();
      const text = bytes.toString('latin1');
      const matter = findFrontMatter(text);
      const metadata = matter === undefined ? {} : this.#metadata(text.slice(matter.start, matter.end));
      const body = Buffer.from(text.slice(matter?.body ?? 0), 'latin1').toString('utf8');
      const { status, title } = metadata ?? {};
      return {
        name: name.replace(/\.md$/, ''),
        status: typeof status === 'string' ? status : null,
        title: typeof title === 'string' ? title : (/^#[ \t]+(.+?)[ \t]*$/m.exec(body)?.[1] ?? null),
        metadata: metadata ?? {},
        body: body.replace(/^\uFEFF/, ''),
        ...(metadata === undefined ? { problem: 'its front matter is not a YAML mapping' } : {}),
      };
    });
  }

  /** Changes nothing but the status; what this cannot be sure of it refuses. */
  setStatus(name: string, status: string): void {
    this.#with(name, (file) => {
      const { bytes, stats } = file.read();
      const text = bytes.toString('latin1');
      const changed = withStatus(text, status);
      if (typeof changed !== 'string') throw new SpecFault(changed.problem);
      if (changed === text) return;
      this.#compare(text, changed, status);
      file.replace(Buffer.from(changed, 'latin1'), stats);
    });
  }

  /** The file as a reader of YAML sees it must differ in the status and in nothing else. */
  #compare(before: string, after: string, status: string): void {
    const [old, next] = [before, after].map((text) => {
      const matter = findFrontMatter(text);
      return matter === undefined ? undefined : this.#metadata(text.slice(matter.start, matter.end));
    });
    if (old === undefined) throw new SpecFault('has front matter that is not a YAML mapping');
    if (isDeepStrictEqual(next, { ...old, status })) return;
    throw new SpecFault('has front matter in which the status cannot be changed by itself');
  }

  #metadata(latin1: string): Record<string, unknown> | undefined {
    if (latin1.length > hostLimits.frontMatterBytes) return undefined;
    const value = latin1.trim() === '' ? {} : this.#readMatter(Buffer.from(latin1, 'latin1').toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  }

  #with<T>(name: string, work: (file: SpecFile) => T): T {
    const parts = specPath(name);
    if (parts === undefined) throw new SpecFault('is not the name of a specification: a path below "specs"');
    const file = SpecFile.open(this.#project, parts);
    try {
      return work(file);
    } finally {
      file.close();
    }
  }
}
