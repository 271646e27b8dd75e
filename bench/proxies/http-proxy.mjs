import { Agent, createServer } from 'node:http'
import httpProxy from 'http-proxy'
import { backendPort, port } from './child.mjs'

const target = `http://127.0.0.1:${backendPort}`
const agent = process.argv.includes('keep-alive') ? new Agent({ keepAlive: true }) : undefined
const proxy = httpProxy.createProxyServer({ target, agent, xfwd: true })
proxy.on('error', (error) => console.error(error.message))

const server = createServer((request, response) => proxy.web(request, response))
server.on('upgrade', (request, socket, head) => proxy.ws(request, socket, head))
server.listen(port, '127.0.0.1')
