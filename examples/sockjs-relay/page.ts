import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

/** The library for browsers. */
export const SCRIPT = readFileSync(createRequire(import.meta.url).resolve('sockjs-client/dist/sockjs.min.js'))

export const PAGE = `<!doctype html>
<meta charset="utf-8" />
<title>SockJS over three nodes</title>
<style>body { font: 16px/1.5 system-ui; max-width: 40em; margin: 2em auto }</style>
<script src="/sockjs.js"></script>
<p id="node">…</p>
<form><input autofocus placeholder="say something" size="40" /></form>
<ul></ul>
<script>
  const list = document.querySelector('ul')
  let socket
  function enter() {
    socket = new SockJS('/chat')
    socket.onmessage = ({ data }) => {
      const { welcome, from, text } = JSON.parse(data)
      if (welcome) document.querySelector('#node').textContent = 'You are on ' + welcome + ', by ' + socket.transport
      else list.prepend(Object.assign(document.createElement('li'), { textContent: from + ': ' + text }))
    }
    socket.onclose = () => setTimeout(enter, 500)
  }
  enter()
  document.querySelector('form').onsubmit = (event) => {
    event.preventDefault()
    socket.send(event.target[0].value)
    event.target.reset()
  }
</script>
`
