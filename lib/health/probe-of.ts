import { httpProbe, questionOf } from './http-probe.ts'
import { type ProbeSettings } from './options.ts'
import { type Probe } from './probe.ts'
import { tcpProbe } from './tcp-probe.ts'
import { websocketProbe } from './websocket-probe.ts'

/** The probe that the settings mean. A new one is a file, a line here, and its name and options in `options.ts`. */
export function probeOf(settings: ProbeSettings): Probe {
  switch (settings.probe) {
    case 'http':
      return httpProbe(settings)
    case 'tcp':
      return tcpProbe()
    case 'websocket':
      return websocketProbe(settings)
    default:
      return settings.probe
  }
}

/** Why a probe that had so many milliseconds has failed. */
export function describeTimeout(settings: ProbeSettings, timeout: number): string {
  switch (settings.probe) {
    case 'http':
      return `${questionOf(settings)} not answered within ${timeout} ms (see health.path)`
    case 'websocket':
      return `WebSocket ${settings.path ?? '/'} not answered within ${timeout} ms (see health.path)`
    case 'tcp':
      return `no connection within ${timeout} ms`
    default:
      return `no answer within ${timeout} ms`
  }
}
