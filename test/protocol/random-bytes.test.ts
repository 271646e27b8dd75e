import t from 'tap'
import { writeRandom } from '../../lib/protocol/random-bytes.ts'

t.test('bytes are never given twice, whatever length is asked for', async (t) => {
  const given = new Set<string>()
  const target = Buffer.alloc(24)
  for (let i = 0; i < 3_000; i++) {
    target.fill(0)
    const length = 8 + (i % 3) * 4
    writeRandom(target, 2, length)
    given.add(target.toString('hex', 2, 10))
    if (target.readUInt16BE(0) !== 0 || target.subarray(2 + length).some((byte) => byte !== 0))
      t.fail('written beside the place')
  }
  t.equal(given.size, 3_000)
})
