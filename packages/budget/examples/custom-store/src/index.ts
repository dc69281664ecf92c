export { createJsonFileStorage } from "./json-file-storage"
