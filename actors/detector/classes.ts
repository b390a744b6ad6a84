/** Class names: the 80 of COCO in the order of every model that is trained on it, and what counts as the same class. */

// biome-ignore format: ten a line, so that an index is found by eye
export const cocoClasses: readonly string[] = [
  "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
  "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow",
  "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee",
  "skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
  "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange",
  "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant", "bed",
  "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone", "microwave", "oven",
  "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush",
];

export const defaultAllowedClasses: readonly string[] = [
  "person",
  "bicycle",
  "car",
  "motorcycle",
  "bus",
  "truck",
  "traffic light",
  "stop sign",
];

/** Names that other label files use for a COCO class. */
const aliases: Readonly<Record<string, string>> = {
  motorbike: "motorcycle",
  aeroplane: "airplane",
  sofa: "couch",
  pottedplant: "potted plant",
  diningtable: "dining table",
  tvmonitor: "tv",
};

/** `traffic_light`, `Traffic-Light` and `traffic light` are one class. */
export const canonicalClass = (name: string): string => {
  const plain = name.trim().toLowerCase().replace(/[_-]+/g, " ").replace(/\s+/g, " ");
  return aliases[plain] ?? plain;
};

/** A test of a class name against a list in any spelling. An empty list allows every class. */
export const allowsClass = (allowed: readonly string[]): ((name: string) => boolean) => {
  const names = new Set(allowed.map(canonicalClass));
  return (name) => names.size === 0 || names.has(canonicalClass(name));
};

// One van is often found as a car and as a truck: these compete for the same object.
const vehicles = new Set(["car", "bus", "truck"]);

/** Boxes compete for an object within their group: a class, or all vehicles. */
export const suppressionGroup = (name: string): string => (vehicles.has(name) ? "vehicle" : name);
