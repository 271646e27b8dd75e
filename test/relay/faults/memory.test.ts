import t from 'tap'
import { nothing } from './faults.ts'
import { judge, perform } from './perform.ts'

t.test(nothing.name, async (t) => judge(t, await perform(t, nothing), nothing))
