import { packageBuild } from "../../tsup.shared"

export default packageBuild(["src/index.ts", "src/o200k_base.ts", "src/cl100k_base.ts"])
