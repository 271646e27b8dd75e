import {
  DefaultHttpClient,
  HttpClient,
  type HttpRequest,
  type HttpResponse,
  type HttpTransportType,
  type HubConnection,
  HubConnectionBuilder,
  LogLevel,
  NullLogger,
} from '@microsoft/signalr'
import { type Scope } from '../support/balancer.ts'
import './short-keep-alive.ts'

/** The client's own, which keeps cookies outside a browser: so a new one with an empty jar for each request. */
class Forgetful extends HttpClient {
  override send(request: HttpRequest): Promise<HttpResponse> {
    return new DefaultHttpClient(NullLogger.instance).send(request)
  }
  override getCookieString(): string {
    return ''
  }
}

/** A client that negotiates, and keeps no cookies. */
export async function connectSignalR(
  t: Scope,
  url: string,
  transport: HttpTransportType,
): Promise<HubConnection> {
  const connection = new HubConnectionBuilder()
    .configureLogging(LogLevel.None)
    .withUrl(`${url}/hub`, { transport, httpClient: new Forgetful() })
    .withAutomaticReconnect([0, 20, 50, 100, 200])
    .build()
  t.teardown(() => connection.stop())
  await connection.start()
  return connection
}
