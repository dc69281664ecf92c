export { type JsonFileStoreOptions, openJsonFileStore } from "./json-file-store"
