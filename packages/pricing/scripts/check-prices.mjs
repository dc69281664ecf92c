// Fails when the newest source of the built table is more than 45 days old. Run at release: pnpm build && pnpm prices:check
import { checkTableAge, tableDate } from "../dist/index.js"

try {
  console.log(`The newest price source is of ${tableDate()}, ${checkTableAge()} days ago.`)
} catch (error) {
  console.error(error.message)
  process.exit(1)
}
