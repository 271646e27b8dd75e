#!/usr/bin/env node
import { main } from '../lib/cli/main.ts'

process.exitCode = await main(process.argv.slice(2))
// What a config has left running, a timer or a server of its own, must not keep a stopped balancer from ending.
setTimeout(() => process.exit(), 1_000).unref()
