export { openJsonFileStorage } from "./json-file-storage"
