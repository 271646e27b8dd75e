const MARK = '~'

/** A channel may be published to with history and without: these are two rows of numbers, hence two publishers. */
export function fleetingPid(pid: string): string {
  return `${pid}${MARK}`
}

export function isFleetingPid(pid: string): boolean {
  return pid.endsWith(MARK)
}
