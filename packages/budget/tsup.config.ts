import { packageBuild } from "../../tsup.shared"

export default packageBuild(["src/index.ts", "src/store.ts", "src/redis.ts", "src/testing.ts"])
