import { describePages, READMES } from "./readme-cases"

describePages("READMEs", READMES)
