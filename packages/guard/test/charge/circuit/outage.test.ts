import { describeOutages } from "./outage-cases"

describeOutages({ sqlite: [["503", "at-once"]] })
