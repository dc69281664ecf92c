import { packageTests } from "../../vitest.shared"

export default packageTests({ typecheck: true })
