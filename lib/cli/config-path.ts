import { relative, resolve, sep } from 'node:path'
import { findConfigFile } from '../config/find.ts'
import { type Flags } from './flags.ts'

/** Absolute path of the config file: the one asked for, or the one in the working directory. */
export function configPath({ config }: Pick<Flags, 'config'>): string {
  return config === undefined ? findConfigFile('.') : resolve(config)
}

/** The path as a person in the working directory would write it. */
export function shownPath(path: string): string {
  const short = relative('', path)
  return short.startsWith('..') ? path : short
}

/** Lines that start with an absolute path, each with that path as {@link shownPath} has it. */
export function shownPlaces(text: string): string {
  const folder = process.cwd() + sep
  return text
    .split('\n')
    .map((line) => (line.startsWith(folder) ? line.slice(folder.length) : line))
    .join('\n')
}
