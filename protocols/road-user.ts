/** What the detector's classes mean on a road. Closed lists, shared by tracking, grouping, rules and prompts. */

/** Bodies with an engine and a car's shape; detectors confuse them with one another. */
const motorVehicleClasses: readonly string[] = ["car", "bus", "truck"];
const vehicleClasses: readonly string[] = [...motorVehicleClasses, "motorcycle", "bicycle"];

const motorVehicles = new Set(motorVehicleClasses);
const vehicles = new Set(vehicleClasses);

export const isMotorVehicle = (className: string): boolean => motorVehicles.has(className);
export const isVehicle = (className: string): boolean => vehicles.has(className);
export const isPedestrian = (className: string): boolean => className === "person";
