/** How the cluster is and was. `domain/cluster.ts` has the shapes. */
import { api, done, type Schemas } from "@/api/client";
import type { Cluster, History } from "@/domain/cluster";
import { locale } from "@/state/settings";

export async function cluster(): Promise<Cluster> {
  return await done(api.GET("/admin/cluster"));
}

export async function history(): Promise<History> {
  return await done(api.GET("/admin/cluster/history"));
}

/** What is wrong, in the language of the page: the words are the server's. */
export async function findings(): Promise<Schemas["ClusterFindings"]> {
  const language = locale() === "zh-CN" ? "zh-CN" : "en";
  return await done(api.GET("/admin/cluster/findings", { params: { query: { language } } }));
}
