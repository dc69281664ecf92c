import { DOCS, describePages } from "./readme-cases"

describePages("docs", DOCS)
