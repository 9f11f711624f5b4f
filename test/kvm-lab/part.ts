// What a part of the lab is given to say what came out.

export interface Reporter {
  passed(what: string, detail?: string): void;
  failed(what: string, detail: string): void;
  skipped(what: string, detail: string): void;
}

export type Part = (report: Reporter) => Promise<void>;
