import { type FSWatcher, type Stats, statSync, watch } from 'node:fs'
import { basename, dirname } from 'node:path'
import { type Clock, type Timer } from '../core/clock.ts'
import { ABSENT, digestOf, EMPTY, TEMPORARY_PREFIX, UNKNOWN } from './digest.ts'

/** Absolute paths → {@link digestOf} them. */
export type Inputs = ReadonlyMap<string, string>

export interface WatchOptions {
  clock: Clock
  /** What the inputs say has changed, and has come to rest. */
  onChange: () => void
  /** A directory cannot be watched, e.g. for lack of inotify watches. Everything else goes on. */
  onError: (error: Error, directory: string) => void
}

/** Between the last event and the look at the files: editors and `git checkout` write in bursts. */
const QUIET = 100
/** How long a file may be empty or missing before that is taken for the new content. */
const UNFINISHED = 500
/** Until the next look at what could not be read: no event may tell that it can be read again. */
const UNREADABLE = 2_000

interface Watched {
  readonly watcher: FSWatcher
  readonly inode: number
}

/**
 * Watches the directories of files, because a file that is replaced by rename takes its own watcher with it.
 * Events say only "look": what counts is the content.
 */
export class InputWatcher {
  readonly #options: WatchOptions
  readonly #directories = new Map<string, Watched>()
  readonly #unwatched = new Set<string>()
  #inputs: Inputs = new Map()
  #timer: Timer | undefined
  #started = false

  constructor(options: WatchOptions) {
    this.#options = options
  }

  /** From now on these; a change against the given digests that happened before is found as well. */
  follow(inputs: Inputs): void {
    this.#inputs = inputs
    if (!this.#started) return
    this.#arm()
    this.#lookIn(QUIET)
  }

  start(): void {
    this.#started = true
    this.#arm()
    this.#lookIn(QUIET)
  }

  /** As they were at the last look. */
  get inputs(): Inputs {
    return this.#inputs
  }

  close(): void {
    this.#started = false
    this.#timer?.cancel()
    for (const { watcher } of this.#directories.values()) watcher.close()
    this.#directories.clear()
  }

  #lookIn(delay: number, unfinishedIsNew = false): void {
    this.#timer?.cancel()
    this.#timer = this.#options.clock.schedule(delay, () => this.#look(unfinishedIsNew))
  }

  #look(unfinishedIsNew: boolean): void {
    this.#timer = undefined
    this.#arm()
    const now = [...this.#inputs.keys()].map((path) => [path, digestOf(path)] as const)
    const known = now.filter(([, digest]) => digest !== UNKNOWN)
    const changed = known.filter(([path, digest]) => digest !== this.#inputs.get(path))
    if (changed.length === 0) {
      if (known.length < now.length) this.#lookIn(UNREADABLE)
      return
    }
    const unfinished = changed.some(([, digest]) => digest === ABSENT || digest === EMPTY)
    if (unfinished && !unfinishedIsNew) return this.#lookIn(UNFINISHED, true)
    this.#inputs = new Map([...this.#inputs, ...changed])
    this.#options.onChange()
  }

  #seen(name: string | null): void {
    if (name?.startsWith(TEMPORARY_PREFIX)) return
    // Other files of the directory matter too, e.g. a symbolic link on the way; but they must not put off the look.
    const isInput = name === null || [...this.#inputs.keys()].some((path) => basename(path) === name)
    if (isInput || !this.#timer) this.#lookIn(QUIET)
  }

  /** Makes the watched directories those of the inputs as they are now: they too may be replaced. */
  #arm(): void {
    const wanted = new Map([...this.#inputs.keys()].map(existingDirectory))
    for (const [directory, { watcher, inode }] of this.#directories) {
      if (wanted.get(directory) === inode) continue
      watcher.close()
      this.#directories.delete(directory)
    }
    for (const [directory, inode] of wanted) {
      if (!this.#directories.has(directory)) this.#watch(directory, inode)
    }
  }

  #watch(directory: string, inode: number): void {
    try {
      const watcher = watch(directory, { persistent: false }, (_event, name) => this.#seen(name))
      watcher.on('error', (error) => {
        watcher.close()
        this.#directories.delete(directory)
        this.#failed(error, directory)
      })
      this.#directories.set(directory, { watcher, inode })
      this.#unwatched.delete(directory)
    } catch (error) {
      this.#failed(error as Error, directory)
    }
  }

  /** Tried again at each reload, told once. */
  #failed(error: Error, directory: string): void {
    if (this.#unwatched.has(directory)) return
    this.#unwatched.add(directory)
    this.#options.onError(error, directory)
  }
}

/** The directory to watch for a path, and its inode: the path itself, or the first one above it that can be seen. */
function existingDirectory(path: string): [directory: string, inode: number] {
  const stats = statsOf(path)
  if (stats?.isDirectory() || dirname(path) === path) return [path, stats?.ino ?? 0]
  return existingDirectory(dirname(path))
}

function statsOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch {
    // ELOOP, EACCES, …: as good as not there.
    return undefined
  }
}
