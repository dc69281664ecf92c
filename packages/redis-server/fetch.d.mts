/**
 * The path of a redis-server, looked for in this order: `P2_REDIS_SERVER`, the PATH, the project's cache
 * (`P2_CACHE_DIR`, or `.cache/redis` at the root of the repository). With `fetch`, an empty cache is filled with apt,
 * as any user and without touching the system. Undefined if no server is found or fetched.
 */
export declare function findRedisServer(options?: { fetch?: boolean | undefined }): Promise<string | undefined>

/** Folder of fetched and compiled files. */
export declare function cacheFolder(): string

/** The nearest parent folder with the workspace's manifest. */
export declare function repositoryRoot(): string
