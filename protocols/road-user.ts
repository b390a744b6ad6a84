/** What the detector's classes mean on a road. Closed lists, shared by tracking, grouping, rules and prompts. */

// Asked for each pair of road users: comparing texts that are mostly the same object costs less than a set's hash.

/** Bodies with an engine and a car's shape; detectors confuse them with one another. */
export const isMotorVehicle = (className: string): boolean => className === "car" || className === "bus" || className === "truck";
export const isVehicle = (className: string): boolean =>
  isMotorVehicle(className) || className === "motorcycle" || className === "bicycle";
export const isPedestrian = (className: string): boolean => className === "person";
