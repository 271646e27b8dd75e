// What every Node process of the benchmark does: it collects garbage when told, and ends with its parent.
process.on('message', () => {
  globalThis.gc?.()
  globalThis.gc?.()
  process.send('collected')
})
process.on('disconnect', () => process.exit())

export const [port, backendPort] = process.argv.slice(2).map(Number)
