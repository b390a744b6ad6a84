/**
 * The two output forms of the YOLO models of Ultralytics' exporter, both with boxes x, y, w, h in input pixels:
 * YOLOv5 (also v6, v7): [1, rows, 5 + classes] with an objectness column;
 * YOLOv8 (also v9, v11): [1, 4 + classes, rows], transposed and without objectness. Reading its first class as an
 * objectness shifts every class by one and multiplies the scores away.
 */
import type { Candidate } from "../suppress.ts";
import { bestClass, type Head, wrongShape } from "./head.ts";

const candidateAt = (x: number, y: number, width: number, height: number, classIndex: number, confidence: number): Candidate => ({
  classIndex,
  confidence,
  box: [x - width / 2, y - height / 2, x + width / 2, y + height / 2],
});

export const decodeYolov5: Head = (outputs, { classCount, wanted, threshold }) => {
  const [output] = outputs;
  const width = 5 + classCount;
  if (output?.dims.length !== 3 || output.dims[2] !== width) {
    throw wrongShape("YOLOv5", outputs, `[1, rows, ${width}]`);
  }
  const { data } = output;
  const candidates: Candidate[] = [];
  for (let at = 0; at + width <= data.length; at += width) {
    const objectness = data[at + 4] ?? 0;
    if (objectness < threshold) continue;
    const { classIndex, score } = bestClass(data, at + 5, 1, wanted);
    const confidence = objectness * score;
    if (classIndex < 0 || confidence < threshold) continue;
    candidates.push(candidateAt(data[at] ?? 0, data[at + 1] ?? 0, data[at + 2] ?? 0, data[at + 3] ?? 0, classIndex, confidence));
  }
  return candidates;
};

export const decodeYolov8: Head = (outputs, { classCount, wanted, threshold }) => {
  const [output] = outputs;
  const rows = output?.dims[2] ?? 0;
  if (output?.dims.length !== 3 || output.dims[1] !== 4 + classCount || rows === 0) {
    throw wrongShape("YOLOv8", outputs, `[1, ${4 + classCount}, rows]`);
  }
  const { data } = output;
  const candidates: Candidate[] = [];
  for (let row = 0; row < rows; row++) {
    const { classIndex, score } = bestClass(data, 4 * rows + row, rows, wanted);
    if (classIndex < 0 || score < threshold) continue;
    const [x, y, width, height] = [data[row], data[rows + row], data[2 * rows + row], data[3 * rows + row]];
    candidates.push(candidateAt(x ?? 0, y ?? 0, width ?? 0, height ?? 0, classIndex, score));
  }
  return candidates;
};
