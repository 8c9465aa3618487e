/** How the cluster is and was. `domain/cluster.ts` has the shapes. */
import { api, done } from "@/api/client";
import type { Cluster, History } from "@/domain/cluster";

export async function cluster(): Promise<Cluster> {
  return await done(api.GET("/admin/cluster"));
}

export async function history(): Promise<History> {
  return await done(api.GET("/admin/cluster/history"));
}
